//go:build race

package wspipetest

const raceEnabled = true
