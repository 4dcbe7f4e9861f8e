// Package httpapi is the HTTP front: API v1 as an http.Handler over a route
// registry. infra/openapi.yaml describes it, and tests hold the two against
// each other.
//
// The first segment of a path after the version is the permission class that
// a call needs: read, register or admin. Free text stands in the query or the
// body, never in the path: API Gateway hands functions a decoded path, and
// %RETRY%group is an everyday topic.
//
// Every answer, errors included, has two headers. Signpost-Revision is, on a
// read, the revision that the answer was made at or after; on a write, the
// newest one that the answerer knows, which is not below what the write
// raised. Signpost-Valid-For says for how many milliseconds the answer may be
// kept while the revision stays the same: until the first lease behind it
// could run out, at most 30 s. 0 is "not to be kept": an answer to a write, an
// error, and what no revision speaks for.
//
// Requests are read strictly, for a misspelt member or parameter may change
// what a call does: what is unknown, or there twice, is refused. Only within
// topics, mappings, queues and DataVersions more is taken, as package wire has
// it: brokers send their whole TopicConfig.
package httpapi
