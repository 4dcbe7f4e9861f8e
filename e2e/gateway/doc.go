// Package gateway is a working fake of API Gateway's HTTP API as it stands in
// front of Lambda functions: it routes, checks who calls, makes events of
// payload format 2.0, holds the limits, and turns answers of functions into
// answers over HTTP. What the service does to a request and a mux does not is
// the reason for it: paths arrive decoded, headers in lower case and joined,
// bodies as text unless their type says otherwise.
//
// What it follows is "Create AWS Lambda proxy integrations for HTTP APIs",
// "Quotas for configuring and running an HTTP API" and "Control access to HTTP
// APIs with IAM authorization" in the API Gateway developer guide, and, where
// those are silent, what users report of the service. Three answers are not
// certain there and callers must take them alike: a function at its limit of
// concurrency (429 here), one that failed (500) and one that took too long
// (503).
package gateway
