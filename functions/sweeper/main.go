// Command sweeper is the Lambda function of the schedule: it announces brokers
// that expired and tidies up after them.
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
	lambda.Start(f.Sweeper().Handle)
}
