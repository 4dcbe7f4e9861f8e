// Package brokers tests the NameServer with real RocketMQ brokers, producers,
// consumers and mqadmin of every release it is meant for. The tests have the
// build tag e2e; they need a JDK 17 and, for the first run, Maven.
//
// `go test -tags e2e ./e2e/brokers -nameserver 5.3.3` runs them against the
// Java NameServer of that release instead, to see whether a test asks for what
// RocketMQ does. What the Java one does not do fails there: keeping routes over
// a restart, a lease set by brokerTimeoutMillis, addresses shown by network, and
// registrations of 5.3.3 that are deflated or longer than 16 MiB.
package brokers
