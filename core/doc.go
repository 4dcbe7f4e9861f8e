// Package core is the route model of a RocketMQ NameServer.
//
// A broker group (one brokerName with its replicas) is the aggregate: every
// rule of registration is about one group, so one group is one consistency
// boundary. Replicas are kept by leases; a topic's route is assembled from the
// queue rows of the groups that are alive. Expiry is one function of
// (replica, sessions, now) applied on every read: no answer depends on a sweep
// having run.
//
// Registry is the model's door. It works over a Store (in process or
// DynamoDB), tells a Sink what happened, and never reads a clock: time is an
// argument.
//
// The package imports the standard library only and knows no wire format.
package core
