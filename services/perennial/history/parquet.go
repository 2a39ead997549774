package history

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Open opens a file of history. A Parquet file comes out as CSV with a header, so
// that line n+1 is its row n; anything else as it is.
func Open(path string) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var magic [4]byte
	if _, err := file.ReadAt(magic[:], 0); err != nil || string(magic[:]) != "PAR1" {
		return file, nil //nolint:nilerr // too short for Parquet
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	read, write := io.Pipe()
	go func() {
		err := writeRows(write, file, info.Size())
		_ = write.CloseWithError(errors.Join(err, file.Close())) // it answers nil
	}()
	return read, nil
}

// writeRows writes the rows of a Parquet file as CSV. A damaged file is an error,
// also where the library ends in a panic.
func writeRows(dst io.Writer, src io.ReaderAt, size int64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the Parquet file is damaged: %v", r)
		}
	}()
	file, err := parquet.OpenFile(src, size)
	if err != nil {
		return fmt.Errorf("the Parquet file is damaged: %w", err)
	}
	columns, err := flatColumns(file.Schema())
	if err != nil {
		return err
	}
	out := csv.NewWriter(dst)
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = c.name
	}
	if err := out.Write(record); err != nil {
		return err
	}
	rows := make([]parquet.Row, 256)
	for _, group := range file.RowGroups() {
		if err := writeGroup(out, group, columns, record, rows); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func writeGroup(out *csv.Writer, group parquet.RowGroup, columns []parquetColumn, record []string, rows []parquet.Row) (err error) {
	source := group.Rows()
	defer func() { err = errors.Join(err, source.Close()) }()
	for {
		n, err := source.ReadRows(rows)
		for _, row := range rows[:n] {
			for _, v := range row {
				record[v.Column()] = columns[v.Column()].text(v)
			}
			if err := out.Write(record); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the Parquet file is damaged: %w", err)
		}
	}
}

// parquetColumn is a column of single values.
type parquetColumn struct {
	name string
	text func(parquet.Value) string
}

// flatColumns are the columns of a table without lists and groups.
func flatColumns(schema *parquet.Schema) ([]parquetColumn, error) {
	var columns []parquetColumn
	for _, path := range schema.Columns() {
		leaf, ok := schema.Lookup(path...)
		if !ok || leaf.MaxRepetitionLevel > 0 {
			return nil, fmt.Errorf("column %q: is a list; only tables of single values are read", strings.Join(path, "."))
		}
		text, err := textOf(leaf.Node.Type())
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", strings.Join(path, "."), err)
		}
		columns = append(columns, parquetColumn{strings.Join(path, "."), func(v parquet.Value) string {
			if v.IsNull() {
				return ""
			}
			return text(v)
		}})
	}
	return columns, nil
}

// textOf writes values of a type as a CSV file would have them: dates by ISO 8601,
// decimal numbers without an exponent.
func textOf(t parquet.Type) (func(parquet.Value) string, error) {
	if logical := t.LogicalType(); logical != nil {
		switch kind := logical.Value.(type) {
		case *format.DateType:
			return func(v parquet.Value) string {
				return DateOf(v.Int32()).Format(time.DateOnly)
			}, nil
		case *format.TimestampType:
			unit := time.Second
			if kind.Unit.Value != nil {
				unit = kind.Unit.Value.Duration()
			}
			form := "2006-01-02T15:04:05"
			if kind.IsAdjustedToUTC {
				form += "Z"
			}
			perSecond := int64(time.Second / unit)
			return func(v parquet.Value) string {
				seconds := v.Int64() / perSecond
				if v.Int64()%perSecond < 0 {
					seconds--
				}
				return time.Unix(seconds, 0).UTC().Format(form)
			}, nil
		case *format.DecimalType:
			if kind.Scale < 0 || kind.Scale > mostDecimals {
				return nil, fmt.Errorf("is decimal with scale %d; 0 to %d are read", kind.Scale, mostDecimals)
			}
			return func(v parquet.Value) string { return decimalText(unscaled(v), int(kind.Scale)) }, nil
		case *format.IntType:
			if !kind.IsSigned && t.Kind() == parquet.Int32 {
				return func(v parquet.Value) string { return strconv.FormatUint(uint64(v.Uint32()), 10) }, nil
			} else if !kind.IsSigned {
				return func(v parquet.Value) string { return strconv.FormatUint(v.Uint64(), 10) }, nil
			}
		case *format.StringType, *format.EnumType, *format.JsonType:
			return func(v parquet.Value) string { return string(v.ByteArray()) }, nil
		default:
			return nil, fmt.Errorf("is %s, which isn't read", logical.Value)
		}
	}
	switch t.Kind() {
	case parquet.Float:
		return func(v parquet.Value) string { return strconv.FormatFloat(float64(v.Float()), 'f', -1, 32) }, nil
	case parquet.Double:
		return func(v parquet.Value) string {
			// What sums of binary fractions add to a decimal amount is far below a millionth.
			text := strconv.FormatFloat(v.Double(), 'f', 6, 64)
			if strings.Contains(text, ".") {
				text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
			}
			return text
		}, nil
	case parquet.ByteArray: // older writers don't say that it is text
		return func(v parquet.Value) string { return strings.ToValidUTF8(string(v.ByteArray()), "\uFFFD") }, nil
	case parquet.Int96: // how Hive, Impala and older Sparks write timestamps: nanoseconds of a Julian day
		return func(v parquet.Value) string {
			n := v.Int96()
			const julianEpoch = 2_440_588 // 1970-01-01
			nanoseconds := int64(n[1])<<32 | int64(n[0])
			return time.Unix((int64(n[2])-julianEpoch)*daySeconds, nanoseconds).UTC().Format("2006-01-02T15:04:05")
		}, nil
	case parquet.FixedLenByteArray:
		return nil, errors.New("is of bytes that aren't said to be text")
	default:
		return parquet.Value.String, nil
	}
}

// mostDecimals is the most that a decimal of 16 bytes can have.
const mostDecimals = 38

// unscaled is the integer of a decimal: big-endian two's complement where it is
// kept as bytes.
func unscaled(v parquet.Value) *big.Int {
	switch v.Kind() {
	case parquet.Int32:
		return big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		return big.NewInt(v.Int64())
	default: // as bytes
	}
	bytes := v.ByteArray()
	n := new(big.Int).SetBytes(bytes)
	if len(bytes) > 0 && bytes[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(bytes))))
	}
	return n
}

func decimalText(n *big.Int, scale int) string {
	digits := new(big.Int).Abs(n).String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	if scale > 0 {
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if n.Sign() < 0 {
		return "-" + digits
	}
	return digits
}
