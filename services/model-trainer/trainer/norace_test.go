//go:build !race

package trainer

// raceDetector says that everything takes ten times as long.
const raceDetector = false
