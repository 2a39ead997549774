package stream

// Buffered is how many messages of p wait in batches that are not under way.
func (c *Client) Buffered(p *Producer) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, q := range p.queues {
		for _, b := range q.waiting {
			n += int(b.encoder.count)
		}
	}
	return n
}
