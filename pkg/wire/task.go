package wire

import "github.com/perennial-cltv/perennial/pkg/cltv"

// TenantParameters is all that a task knows of a tenant besides its customers:
// perennial.v1.TenantParameters.
type TenantParameters struct {
	Tenant string
	// ClockUnix is the tenant's clock, Unix seconds; 0: not started, or kept
	// elsewhere.
	ClockUnix int64
	// Models holds the newest of each scope. The others are nil until one came.
	Models     []*cltv.Model
	Thresholds *cltv.Thresholds
	UnitCosts  *cltv.UnitCosts
	Policy     *cltv.Policy
}

// Checkpoint says that all states up to an offset are in cltv.state.v1:
// perennial.v1.Checkpoint.
type Checkpoint struct {
	// NextOffset of customer.events.v1 is where a rebuild begins to replay.
	NextOffset int64
	// LastCRC is the CRC-32C of the record before it.
	LastCRC uint32
	// Batch counts commits.
	Batch       int64
	Partitions  int32
	FoldVersion int32
	Tenants     []TenantParameters
}

// Opening says who owns a task from here on: perennial.v1.Opening.
type Opening struct {
	ProducerID    int64
	ProducerEpoch int32
	Opening       int64
	NextOffset    int64
	// OpenedAt is Unix milliseconds.
	OpenedAt int64
}

// DecodeTenantParameters decodes a perennial.v1.TenantParameters into *p,
// overwriting all of it and keeping nothing of b. The error is a *DecodeError.
func DecodeTenantParameters(b []byte, p *TenantParameters) error {
	*p = TenantParameters{}
	return asError(decodeTenant(b, p))
}

func decodeTenant(b []byte, p *TenantParameters) *DecodeError {
	c := cursor{rest: b}
	for c.next() {
		var err *DecodeError
		switch c.key {
		case 1<<3 | delimited:
			err = c.ownText(&p.Tenant, "tenant")
		case 2<<3 | varint:
			p.ClockUnix = c.int64()
		case 3<<3 | delimited:
			err = p.addModel(c.data)
		case 4<<3 | delimited:
			if p.Thresholds == nil {
				p.Thresholds = new(cltv.Thresholds)
			}
			err = within("thresholds", decodeThresholds(c.data, p.Thresholds))
		case 5<<3 | delimited:
			if p.UnitCosts == nil {
				p.UnitCosts = new(cltv.UnitCosts)
			}
			err = within("unit_costs", decodeUnitCosts(c.data, p.UnitCosts))
		case 6<<3 | delimited:
			if p.Policy == nil {
				p.Policy = new(cltv.Policy)
			}
			err = within("policy", decodePolicy(c.data, p.Policy))
		}
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (p *TenantParameters) addModel(b []byte) *DecodeError {
	var trained stamp
	m := new(cltv.Model)
	err := decodeModel(b, m, &trained)
	if err == nil {
		m.TrainedTo, err = trained.millis("trained_to")
	}
	p.Models = append(p.Models, m)
	return within("models", err)
}

// AppendTenantParameters appends p as a perennial.v1.TenantParameters. Equal
// parameters give equal bytes; Models are written in the order they have.
func AppendTenantParameters(b []byte, p *TenantParameters) []byte {
	var at int
	b = appendText(b, 1, p.Tenant)
	b = appendInt(b, 2, p.ClockUnix)
	for _, m := range p.Models {
		b, at = openMessage(b, 3)
		b = closeMessage(appendModel(b, m), at)
	}
	if p.Thresholds != nil {
		b, at = openMessage(b, 4)
		b = closeMessage(appendThresholds(b, p.Thresholds), at)
	}
	if p.UnitCosts != nil {
		b, at = openMessage(b, 5)
		b = closeMessage(appendUnitCosts(b, p.UnitCosts), at)
	}
	if p.Policy != nil {
		b, at = openMessage(b, 6)
		b = closeMessage(appendPolicy(b, p.Policy), at)
	}
	return b
}

// DecodeCheckpoint decodes a perennial.v1.Checkpoint into *p, overwriting all of
// it and keeping nothing of b. The error is a *DecodeError.
func DecodeCheckpoint(b []byte, p *Checkpoint) error {
	*p = Checkpoint{}
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | varint:
			p.NextOffset = c.int64()
		case 2<<3 | varint:
			p.LastCRC = uint32(c.num)
		case 3<<3 | varint:
			p.Batch = c.int64()
		case 4<<3 | varint:
			p.Partitions = c.int32()
		case 5<<3 | varint:
			p.FoldVersion = c.int32()
		case 6<<3 | delimited:
			var t TenantParameters
			if err := decodeTenant(c.data, &t); err != nil {
				return within("tenants", err)
			}
			p.Tenants = append(p.Tenants, t)
		}
	}
	return asError(c.end())
}

// AppendCheckpoint appends p as a perennial.v1.Checkpoint.
func AppendCheckpoint(b []byte, p *Checkpoint) []byte {
	b = appendInt(b, 1, p.NextOffset)
	b = appendInt(b, 2, int64(p.LastCRC))
	b = appendInt(b, 3, p.Batch)
	b = appendInt(b, 4, int64(p.Partitions))
	b = appendInt(b, 5, int64(p.FoldVersion))
	for i := range p.Tenants {
		var at int
		b, at = openMessage(b, 6)
		b = closeMessage(AppendTenantParameters(b, &p.Tenants[i]), at)
	}
	return b
}

// DecodeOpening decodes a perennial.v1.Opening into *p, overwriting all of it.
// The error is a *DecodeError.
func DecodeOpening(b []byte, p *Opening) error {
	*p = Opening{}
	var opened stamp
	c := cursor{rest: b}
	for c.next() {
		switch c.key {
		case 1<<3 | varint:
			p.ProducerID = c.int64()
		case 2<<3 | varint:
			p.ProducerEpoch = c.int32()
		case 3<<3 | varint:
			p.Opening = c.int64()
		case 4<<3 | varint:
			p.NextOffset = c.int64()
		case 5<<3 | delimited:
			if err := opened.decode(c.data, "opened_at"); err != nil {
				return err
			}
		}
	}
	if err := c.end(); err != nil {
		return err
	}
	var err *DecodeError
	p.OpenedAt, err = opened.millis("opened_at")
	return asError(err)
}

// AppendOpening appends p as a perennial.v1.Opening.
func AppendOpening(b []byte, p *Opening) []byte {
	b = appendInt(b, 1, p.ProducerID)
	b = appendInt(b, 2, int64(p.ProducerEpoch))
	b = appendInt(b, 3, p.Opening)
	b = appendInt(b, 4, p.NextOffset)
	return appendTime(b, 5, p.OpenedAt)
}
