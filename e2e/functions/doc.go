// Package functions tests the whole serverless stack: the three binaries under
// the Lambda runtime emulator, behind a fake of the HTTP API with the
// template's own routes and permissions, over DynamoDB Local. See package
// stack for how it is put together.
package functions
