//go:build !linux

package process

// ReapOrphans does nothing: only Linux has child subreapers, and containers in which we
// are process 1.
func ReapOrphans() {}
