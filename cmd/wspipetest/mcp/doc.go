// Package mcp runs the Model Context Protocol's own Go client against the examples
// examples/python/mcp.py and examples/node/mcp.js. It is a module of its own, so that wspipe's
// go.mod does not need that client.
package mcp
