// Command register is the Lambda function of registrations, heartbeats and what operators change: the calls of classes
// register and admin.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"signpost/internal/function"
)

func main() {
	f, err := function.Start(true)
	if err != nil {
		function.Fail(err)
	}
	lambda.Start(f.Register().Handle)
}
