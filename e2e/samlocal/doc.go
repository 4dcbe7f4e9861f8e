// Package samlocal runs `make sam-local` and what README.md says to do with
// it. It needs a Docker engine: where none runs and the tests run as root on
// Debian, they start one of their own, after they have installed it.
package samlocal
