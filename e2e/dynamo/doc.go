// Package dynamo holds the tests of the DynamoDB store that need DynamoDB: the
// contract, what each operation costs, and what remains true when calls fail.
// They run against DynamoDB Local and need the build tag e2e.
package dynamo
