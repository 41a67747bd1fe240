// Package cross holds tests only: stock ostree and ours commit the same trees, and each
// reads, checks, checks out and pulls what the other has written. They take up to a
// minute; go test -short leaves the largest ones out.
package cross
