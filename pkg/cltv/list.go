package cltv

import "cmp"

// stamp is what orders facts and tells them apart.
type stamp struct {
	// at is when it happened, Unix milliseconds.
	at int64
	// id is the identity (factID), never 0.
	id uint64
	// rev is the source's revision.
	rev int64
}

// compareStamps is the order in which facts are kept: by time, then id.
func compareStamps(a, b stamp) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
}

// list holds facts of one class in the order of their stamps. What is at or below floor isn't taken in any more.
type list[T any] struct {
	stamps []stamp
	items  []T
	// floor is the stamp of the last fact that fell out; the zero stamp where none did.
	floor stamp
}

func (l *list[T]) reset() {
	l.stamps, l.items, l.floor = l.stamps[:0], l.items[:0], stamp{}
}

// find returns the position of an id, −1 where it isn't kept.
func (l *list[T]) find(id uint64) int {
	for i := range l.stamps {
		if l.stamps[i].id == id {
			return i
		}
	}
	return -1
}

// insert puts a fact into its place.
func (l *list[T]) insert(s stamp, item *T) {
	i := len(l.stamps)
	l.stamps = append(l.stamps, s)
	l.items = append(l.items, *item)
	for i > 0 && compareStamps(l.stamps[i-1], s) > 0 {
		l.stamps[i], l.items[i] = l.stamps[i-1], l.items[i-1]
		i--
	}
	l.stamps[i], l.items[i] = s, *item
}

// remove takes out the fact at a position.
func (l *list[T]) remove(i int) {
	l.stamps = append(l.stamps[:i], l.stamps[i+1:]...)
	l.items = append(l.items[:i], l.items[i+1:]...)
}

// dropOldest removes the first fact and raises the floor to it.
func (l *list[T]) dropOldest() {
	l.floor = stamp{at: l.stamps[0].at, id: l.stamps[0].id}
	l.remove(0)
}

// verdict is what becomes of a fact that meets a list.
type verdict uint8

const (
	takenIn verdict = iota
	alreadyIn
	belowFloor
)

// judge says whether a fact is news. at is where an older content of it stands, −1 where none is kept. order compares
// the contents kept at a position with the new one; it is asked where the revisions are equal.
func (l *list[T]) judge(s stamp, order func(at int) int) (v verdict, at int) {
	at = l.find(s.id)
	if at >= 0 {
		if old := &l.stamps[at]; old.rev > s.rev || old.rev == s.rev && order(at) >= 0 {
			return alreadyIn, at
		}
	}
	if compareStamps(s, l.floor) <= 0 {
		return belowFloor, at
	}
	return takenIn, at
}
