// Package httpapi_test holds the HTTP API to its description with a program
// that knows nothing but the description: schemathesis makes calls of all
// kinds from infra/openapi.yaml, and judges the answers by it.
package httpapi_test
