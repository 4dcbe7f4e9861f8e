// Package image builds the container image and runs what is in it.
package image
