// Command route is the Lambda function of lookups: the calls of class read. It has no means to write, nor the right.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"signpost/internal/function"
)

func main() {
	f, err := function.Start(false)
	if err != nil {
		function.Fail(err)
	}
	lambda.Start(f.Route().Handle)
}
