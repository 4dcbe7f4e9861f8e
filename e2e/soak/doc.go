// Package soak has a thousand simulated brokers live behind two real shims, while
// whatever may go wrong does: the way to the API breaks, hangs, is slow or answers
// for it; shims are killed; connections close; brokers stop, return, move and
// change; permissions are wiped and topics deleted. The API is the functions'
// over a store in memory, or with -soak.functions these over DynamoDB Local.
// -soak.seed decides on what happens to whom, but not on its timing: make e2e
// runs the same seed each time, make soak any other.
//
// All the time clients ask for routes, and find every broker that lives and has
// registered with the shim that they ask. In the end both shims answer what a
// Java NameServer would that had heard all of it.
package soak
