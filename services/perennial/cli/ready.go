package cli

import (
	"context"
	"fmt"
	"time"
)

// ready returns when the services are, or says why they weren't when ctx ended.
func ready(ctx context.Context, s *stack) error {
	for {
		report := s.rt.Health.Readiness(ctx)
		if report.Status == "ok" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %v: %w", report.Checks, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
