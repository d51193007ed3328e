// Package kubernetes runs Kubernetes' own Go client against wspipe, and decodes
// kubernetes.yaml with its types. It is a module of its own, so that wspipe's go.mod need not know of that client.
package kubernetes
