package formula

import "strings"

var variableNames, functionNames = func() (ofVariables, ofFunctions []string) {
	for _, v := range variables {
		ofVariables = append(ofVariables, v.Name)
	}
	for _, f := range functions {
		ofFunctions = append(ofFunctions, f.name)
	}
	return ofVariables, ofFunctions
}()

// meant asks whether the name that is nearest to an unknown one was meant; empty where none is near.
func meant(unknown string, names []string) string {
	if len(unknown) > 40 {
		return ""
	}
	wanted := plain(unknown)
	best, least := "", max(1, len(wanted)/3)+1
	for _, name := range names {
		if d := distance(wanted, plain(name)); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// plain is a name without what people write differently.
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// distance is how many letters are to be changed, left out, put in or swapped with their neighbours to come from a to b (Damerau
// 1964, as an optimal alignment).
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
