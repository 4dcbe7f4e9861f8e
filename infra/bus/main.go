// Command bus stands in for EventBridge beside `sam local`: it accepts every
// event that is put on a bus and prints it, one line each.
//
//	go run ./infra/bus 127.0.0.1:8001
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// maxBody is what EventBridge takes in one PutEvents, 10 entries of 256 KB, and
// some more for JSON's escapes.
const maxBody = 4 << 20

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: bus HOST:PORT")
		os.Exit(64)
	}
	server := &http.Server{Addr: os.Args[1], Handler: bus(os.Stdout), ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	fmt.Fprintln(os.Stderr, "bus:", server.ListenAndServe())
	os.Exit(1)
}

// bus answers PutEvents and prints the events to out.
func bus(out io.Writer) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var put struct {
			Entries []struct {
				DetailType string `json:"DetailType"`
				Detail     string `json:"Detail"`
			} `json:"Entries"`
		}
		if r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" {
			http.Error(w, "only PutEvents is known here", http.StatusBadRequest)
			return
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&put); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		type accepted struct{ EventId string } // spelled by EventBridge
		answer := struct {
			FailedEntryCount int
			Entries          []accepted
		}{Entries: []accepted{}}
		mu.Lock()
		defer mu.Unlock()
		for i, e := range put.Entries {
			fmt.Fprintf(out, "event %s %s\n", e.DetailType, e.Detail)
			answer.Entries = append(answer.Entries, accepted{EventId: fmt.Sprint(i)})
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(answer) // who asked is gone then
	})
}
