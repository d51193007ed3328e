//go:build !darwin && !windows

package cmd

var defaultPassEnv = []string{"PATH", "LD_LIBRARY_PATH"}
