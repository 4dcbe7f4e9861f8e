// Package cost says what the serverless NameServer costs: what each operation
// may consume of the table, and what a month of it comes to at AWS's list
// prices.
//
// The operations are held twice. e2e/dynamo measures each on DynamoDB Local and
// fails where one takes more than stands here; the tests here fail where one
// takes more than its budget, and where a month costs more than is promised.
// So neither the table nor the bill can say less than is true of the code.
//
// A month has 30 days. Everything else that is assumed is in Assumptions.
package cost
