// Package acl tests the access control of bin/namesrv with those who sign:
// brokers of 5.3.3 with innerClientAuthenticationCredentials, clients with an
// AclClientRPCHook and mqadmin with a tools.yml; and with a broker of 4.9.7,
// which cannot. The tests have the build tag e2e; they need a JDK 17 and, for
// the first run, Maven.
//
// java/Vectors.java makes the signed requests that internal/acl is tested with:
// `go test -tags e2e ./e2e/acl -run Vectors -update` writes them anew.
package acl
