// Package kubernetes runs Kubernetes' own Go client against wspipe. It is a
// module of its own, so that wspipe's go.mod need not know of that client.
package kubernetes
