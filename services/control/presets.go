package control

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	perennialv1 "github.com/perennial-cltv/perennial/proto/perennial/v1"
)

// CDNOW answers the published model of the CDNOW sample: BG/NBD of Fader, Hardie
// and Lee (2005), calibrated to 1997-09-30, and Gamma–Gamma of Fader and Hardie
// (2013).
func CDNOW(number int64) *perennialv1.ModelPublished {
	return &perennialv1.ModelPublished{
		Number: number, ModelId: "cdnow-1997-09-30",
		BgNbd:      &perennialv1.BgNbd{R: .242594, Alpha: 4.41360, A: .792922, B: 2.425906},
		GammaGamma: &perennialv1.GammaGamma{P: 6.24935, Q: 3.74426, Gamma: 15.44431},
		Customers:  2357, Repeaters: 946,
		TrainedTo: timestamppb.New(time.Date(1997, 9, 30, 0, 0, 0, 0, time.UTC)),
		Reason:    "published parameters",
	}
}
