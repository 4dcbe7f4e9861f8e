// Command stub is a function that does what its event says, without any
// library: "sleep", "exit", "fail", "big"; anything else it returns.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	fmt.Println(`{"msg":"started","memory":"` + os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") + `","own":"` + os.Getenv("OWN") + `"}`)
	for {
		r, err := http.Get(api + "next")
		if err != nil {
			return
		}
		event, _ := io.ReadAll(r.Body)
		r.Body.Close()
		path := "/response"
		switch string(event) {
		case `"sleep"`:
			time.Sleep(time.Minute)
		case `"exit"`:
			os.Exit(3)
		case `"fail"`:
			path, event = "/error", []byte(`{"errorType":"errorString","errorMessage":"no"}`)
		case `"big"`:
			event = append(append([]byte{'"'}, bytes.Repeat([]byte("a"), 7<<20)...), '"')
		}
		resp, err := http.Post(api+r.Header.Get("Lambda-Runtime-Aws-Request-Id")+path, "application/json", bytes.NewReader(event))
		if err != nil {
			return
		}
		resp.Body.Close()
	}
}
