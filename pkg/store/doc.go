// Package store keeps the tasks of the CLTV updater in Redis, and in memory for
// simulations: [Redis] and [Memory]'s connections implement [task.Store], and
// package storetest holds both to the same answers. [Reader] reads what they wrote
// without owning a task. Nothing else in the program speaks to Redis.
//
// # Keys
//
// All keys of a task share one hash tag (see [Tag]), hence one slot of a Redis
// Cluster, so that one transaction changes all of them or none.
//
//	{tag}:task                 hash    producer, epoch, opening, batch, offset, crc, checkpoint,
//	                                   fold, partitions, rebuilding, clock:<tenant> …
//	{tag}:c                    hash    <tenant>/<customer> → state
//	{tag}:m                    hash    tenant → encoded parameters
//	{tag}:r:<tenant>/<dim>     hash    id → vector of partial sums
//	{tag}:keys                 set     the keys of all sums
//	{tag}:due                  zset    <tenant>/<day>, by day
//	{tag}:d:<tenant>/<day>     list    customers to be looked at on that day
//
// States are fields of one hash per task, not keys of their own. That takes a
// third off Redis's time per state written (1.0 µs against 1.6 for MSET with 500
// declared keys, 0.65 against 0.8 read) and 16 bytes off each, lets a customer's
// task be listed without a walk over all others', and a rebuild delete all states
// at once. What it costs: the hash moves as a whole when a cluster moves its slot.
// Choose the number of partitions so that one holds at most about a million
// customers (some 250 MB).
//
// # One connection
//
// A [Redis] is bound to one connection to one Redis process and never reconnects:
// after an error of [task.KindConnection] all calls fail with it. A server that
// became a replica, lost the slot or was restarted is therefore always noticed by
// its owner, who opens the task again from what the then primary has.
//
// # Rights
//
// An ACL user needs this and no more:
//
//	~{*}:* -@all +@connection +@transaction +info +wait +waitaof +cluster|slots
//	+eval +evalsha +type +hset +hdel +hmget +hgetall +hkeys +hscan +smembers
//	+sadd +zrange +zadd +zrem +lrange +rpush +ltrim +exists +unlink
//
// +waitaof is for servers from 7.2 on that keep an append-only file. A right that
// is missing stops a task before anything is written (in scripts from Redis 7.0 on,
// where they can ask).
package store
