package api_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"signpost/core"
	"signpost/internal/upstream/api"
)

func TestOptionsThatAreWrong(t *testing.T) {
	some := credentials.NewStaticCredentialsProvider("k", "s", "")
	for _, c := range []struct {
		field, reason string
		o             api.Options
	}{
		{"endpoint", "missing", api.Options{}},
		{"endpoint", "https://", api.Options{Endpoint: "api.example.com"}},
		{"endpoint", "https://", api.Options{Endpoint: "ftp://api.example.com"}},
		{"endpoint", "https://", api.Options{Endpoint: "/v1"}},
		{"endpoint", "no URL", api.Options{Endpoint: "https://[::1"}},
		{"endpoint", "no URL", api.Options{Endpoint: "https://a b"}},
		{"endpoint", "host", api.Options{Endpoint: "https://:443/x"}},
		{"endpoint", "user", api.Options{Endpoint: "https://user:password@api.example.com"}},
		{"endpoint", "path", api.Options{Endpoint: "https://api.example.com?x=1"}},
		{"endpoint", "path", api.Options{Endpoint: "https://api.example.com?"}},
		{"endpoint", "path", api.Options{Endpoint: "https://api.example.com#x"}},
		{"endpoint", "see the token", api.Options{Endpoint: "http://api.example.com", TokenFile: "f"}},
		{"region", "missing", api.Options{Endpoint: "https://api.example.com", Credentials: some}},
		{"region", "missing", api.Options{Endpoint: "https://x.execute-api.eu-west-1.amazonaws.com.example.com", Credentials: some}},
		{"tokenFile", "one of them", api.Options{Endpoint: "https://api.example.com", Credentials: some, TokenFile: "f", Region: "r"}},
	} {
		_, err := api.New(c.o)
		var field *core.FieldError
		if !errors.As(err, &field) || field.Field != c.field || !strings.Contains(field.Reason, c.reason) {
			t.Errorf("%+v: %v, want %s: ...%s...", c.o, err, c.field, c.reason)
		} else if strings.Contains(err.Error(), "password") {
			t.Errorf("%v tells the password", err)
		}
	}
}

func TestOptionsThatAreRight(t *testing.T) {
	some := credentials.NewStaticCredentialsProvider("k", "s", "")
	for _, o := range []api.Options{
		{Endpoint: "https://api.example.com"},
		{Endpoint: "http://127.0.0.1:8080/"},
		{Endpoint: "https://api.example.com/prod/", Region: "eu-west-1", Credentials: some},
		{Endpoint: "https://x.execute-api.eu-west-1.amazonaws.com", Credentials: some},
		{Endpoint: "https://x.execute-api.eu-west-1.api.aws", Credentials: some},
		{Endpoint: "https://x.execute-api.cn-north-1.amazonaws.com.cn/prod", Credentials: some},
		{Endpoint: "https://api.example.com", TokenFile: "f"},
		{Endpoint: "http://localhost:3000", TokenFile: "f"},
		{Endpoint: "http://[::1]:3000", TokenFile: "f"},
	} {
		newClient(t, o)
	}
}
