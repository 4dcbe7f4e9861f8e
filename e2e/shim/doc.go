// Package shim tests the shim in a world of its own: some shims with links of
// their own to one API, simulated brokers and clients, and beside them a
// NameServer that hears every broker without any fault. All of it runs in one
// process without a network and by a made-up clock, so an outage of an hour
// takes a moment.
//
// Whatever the links do, no client fails for want of a route whose broker
// lives, and in the end every shim answers what that NameServer answers, which
// e2e/parity holds to Java's. What real brokers and clients make of outages is
// in e2e/brokers.
package shim
