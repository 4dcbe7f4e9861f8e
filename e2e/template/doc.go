// Package template runs SAM on template.yaml: the transform that AWS applies,
// the linters, and the build of the functions for both architectures. What
// needs no SAM is tested in infra.
package template
