package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

func TestTheSDKTakesItForEventBridge(t *testing.T) {
	var out bytes.Buffer
	server := httptest.NewServer(bus(&out))
	defer server.Close()
	client := eventbridge.New(eventbridge.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	answer, err := client.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: aws.String("signpost"), DetailType: aws.String("BrokerEvicted"), Detail: aws.String(`{"id":"1"}`)},
		{Source: aws.String("signpost"), DetailType: aws.String("MasterChanged"), Detail: aws.String(`{"id":"2"}`)},
	}})
	if err != nil || answer.FailedEntryCount != 0 || len(answer.Entries) != 2 || answer.Entries[1].EventId == nil {
		t.Fatalf("PutEvents: %+v, %v", answer, err)
	}
	if want := "event BrokerEvicted {\"id\":\"1\"}\nevent MasterChanged {\"id\":\"2\"}\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestAnythingElseIsRefused(t *testing.T) {
	for target, body := range map[string]string{"AWSEvents.PutRule": "{}", "AWSEvents.PutEvents": "{"} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", target)
		w := httptest.NewRecorder()
		bus(&bytes.Buffer{}).ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s %s is answered %d", target, body, w.Code)
		}
	}
}
