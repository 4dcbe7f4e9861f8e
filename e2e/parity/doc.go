// Package parity compares two NameServers step by step: the same
// registrations, departures, administration and heartbeats are done to both,
// and after every step both are asked everything that a client, a broker or an
// operator can ask. What differs must be in the list of accepted differences.
//
// Steps name brokers, addresses, topics and the rest by small numbers, so that
// a failing sequence prints as a short program that can be pasted into the
// table of past failures. On the wire every sequence has names and addresses
// of its own, and the answers that list everything are reduced to those: one
// Java process serves very many sequences. Before two answers are compared,
// the names of the wire become the short ones again.
//
// The tests need a JDK 17 and stand behind the build tag e2e. PARITY_SEQUENCES
// is the number of random sequences for each Java server; a failure names the
// seed that repeats it (-rapid.seed). With -shims N so many shims over the
// functions and DynamoDB Local stand for the NameServer: as brokers and tools
// do, each step is done to all of them, and all have to answer the same.
package parity
