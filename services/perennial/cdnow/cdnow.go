// Package cdnow holds the purchase history that the demo plays and that the
// published figures of the models rest on; README.md says where it comes from.
package cdnow

import (
	"bytes"
	_ "embed"
	"fmt"
	"strconv"
	"time"
)

// File is the data set as it was published.
//
//go:embed CDNOW_sample.txt
var File []byte

// The size of the data set.
const (
	Customers = 2357
	Purchases = 6919
)

// Currency is that of the amounts.
const Currency = "USD"

// Purchase is one line of the file.
type Purchase struct {
	// Customer is the number in the sample, "0001" to "2357".
	Customer string
	// Day is midnight UTC.
	Day time.Time
	// CDs is how many were bought.
	CDs int
	// AmountMinor is in cents.
	AmountMinor int64
}

// Read answers all purchases in the order of the file: by customer, then day.
func Read() ([]Purchase, error) {
	purchases := make([]Purchase, 0, Purchases)
	for number, line := range bytes.Split(bytes.TrimRight(File, "\r\n"), []byte("\n")) {
		p, err := parse(bytes.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("CDNOW_sample.txt line %d: %w", number+1, err)
		}
		purchases = append(purchases, p)
	}
	return purchases, nil
}

func parse(fields [][]byte) (p Purchase, err error) {
	if len(fields) != 5 {
		return p, fmt.Errorf("has %d columns instead of 5", len(fields))
	}
	p.Customer = string(fields[1])
	if p.Day, err = time.Parse("20060102", string(fields[2])); err != nil {
		return p, err
	}
	if p.CDs, err = strconv.Atoi(string(fields[3])); err != nil {
		return p, err
	}
	dollars, cents, _ := bytes.Cut(fields[4], []byte("."))
	if len(cents) != 2 {
		return p, fmt.Errorf("amount %q has no cents", fields[4])
	}
	p.AmountMinor, err = strconv.ParseInt(string(dollars)+string(cents), 10, 64)
	return p, err
}
