//go:build !race

package wspipetest

const raceEnabled = false
