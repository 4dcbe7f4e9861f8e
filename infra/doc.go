// Package infra holds template.yaml to the code: its tests compare the stack
// with the API, the functions' environment and operations, and the metrics.
// e2e/template has the tests that need SAM.
package infra
