// Command model-trainer keeps the models of every tenant fitted to its customers,
// and publishes one only where it is no worse than that in force.
package main

import (
	"os"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/model-trainer/trainer"
)

func main() {
	os.Exit(ops.Main(ops.Program[trainer.Config]{
		Name: trainer.Name, Summary: "fits the models to what customers do, and brings better ones into force",
		Defaults: trainer.Defaults(), Run: trainer.Run,
	}))
}
