package cost

// Item is something that AWS bills.
type Item int

// The items of a bill, in its order.
const (
	APICalls Item = iota
	Requests
	Compute
	Writes
	Reads
	Storage
	Recovery
	Schedules
	Events
	Logs
	Series
	Alarms
	Dashboards
	DataOut
	items
)

const (
	million = 1e6
	// GB is what AWS calls one on bills.
	gigabyte = 1 << 30
)

// Price is what an item costs by AWS's price list: us-east-1, in dollars, as
// read in November 2026.
type Price struct {
	Item   string
	Unit   string  // what Dollars are for
	Size   float64 // how many of what is counted are one Unit
	Per    float64 // dollars a Unit
	Free   float64 // Units a month that cost an account nothing, ever; not for its first year alone
	Source string
}

// Prices are those of each Item. What is metered in steps (API calls of 512 KB,
// events of 64 KB) is within one here.
var Prices = [items]Price{
	APICalls:  {"HTTP API calls", "million", million, 1.00, 0, "aws.amazon.com/api-gateway/pricing: up to 512 KB each; its free million is for a year only"},
	Requests:  {"Lambda requests", "million", million, 0.20, 1, "aws.amazon.com/lambda/pricing"},
	Compute:   {"Lambda compute, arm64", "GB-second", 1, 0.0000133334, 400_000, "aws.amazon.com/lambda/pricing: by the millisecond, init included"},
	Writes:    {"table writes", "million units", million, 0.625, 0, "aws.amazon.com/dynamodb/pricing/on-demand"},
	Reads:     {"table reads", "million units", million, 0.125, 0, "aws.amazon.com/dynamodb/pricing/on-demand"},
	Storage:   {"table storage", "GB", gigabyte, 0.25, 25, "aws.amazon.com/dynamodb/pricing/on-demand: with 100 B more an item"},
	Recovery:  {"point-in-time recovery", "GB", gigabyte, 0.20, 0, "aws.amazon.com/dynamodb/pricing/on-demand"},
	Schedules: {"Scheduler", "million", million, 1.00, 14, "aws.amazon.com/eventbridge/pricing"},
	Events:    {"events on the bus", "million", million, 1.00, 0, "aws.amazon.com/eventbridge/pricing: up to 64 KB each"},
	Logs:      {"logs taken in", "GB", gigabyte, 0.50, 5, "aws.amazon.com/cloudwatch/pricing"},
	Series:    {"custom metrics", "series", 1, 0.30, 10, "aws.amazon.com/cloudwatch/pricing: a name with its dimensions"},
	Alarms:    {"alarms", "metric", 1, 0.10, 10, "aws.amazon.com/cloudwatch/pricing: standard resolution"},
	// Not in Free: the first three of an account cost nothing in any case.
	Dashboards: {"dashboard beyond an account's third", "dashboard", 1, 3.00, 0, "aws.amazon.com/cloudwatch/pricing"},
	DataOut:    {"data sent to the Internet", "GB", gigabyte, 0.09, 100, "aws.amazon.com/ec2/pricing/on-demand, first 10 TB"},
}

const (
	dashboardsFree = 3

	// smallInstance is an hour of a t4g.small (2 GB), the least that Java's
	// NameServer does well on: aws.amazon.com/ec2/pricing/on-demand. Disks and
	// public addresses come on top.
	smallInstance = 0.0168
	javaServers   = 2
)

// Java is what two t4g.small running Java's NameServer cost a month.
func Java() float64 { return javaServers * smallInstance * hours }

// A month.
const (
	days    = 30
	hours   = days * 24
	minutes = hours * 60
	seconds = minutes * 60
)
