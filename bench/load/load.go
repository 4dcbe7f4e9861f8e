// Package load is the client side of the measurement: fleets of brokers and
// the frames they send, and a loop that offers requests to a NameServer over
// many connections from one core and times every answer.
//
// It is made to ask more of a server's core than that core can give, so it
// prepares all frames before the clock runs, sends and receives in batches,
// and looks into an answer only as far as it must: its length, its opaque, its
// code and whether it has a body. A sample is checked in full.
package load
