package main

import (
	"testing"

	"github.com/perennial-cltv/perennial/services/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m, main) }

// TestProgram starts the program, waits until it is ready, and stops it.
func TestProgram(t *testing.T) { programtest.Serve(t, programtest.HTTP) }
