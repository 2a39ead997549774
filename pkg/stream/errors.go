package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/perennial-cltv/perennial/pkg/task"
)

// ErrBusy is returned by a Producer whose buffers are full: nothing was taken.
var ErrBusy = errors.New("the producer's buffers are full")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("closed")

// ErrCorrupt is wrapped by every error about bytes that are no record batch.
var ErrCorrupt = errors.New("corrupt record batch")

// errNoWholeBatch: Kafka promises at least one whole batch where there is any.
var errNoWholeBatch = fmt.Errorf("%w: the answer holds no whole batch", ErrCorrupt)

// meaning is what an error of Kafka, or of the way to it, says about a request.
type meaning uint8

const (
	// meansDone: the request was carried out, now or earlier.
	meansDone meaning = iota
	// meansNotNow: the broker refused and did nothing; later it may not.
	meansNotNow
	// meansUnknown: there was no answer, or one that doesn't say.
	meansUnknown
	// meansFenced: the producer id, its epoch or its sequence is no longer good.
	meansFenced
	// meansOutOfRange: the partition doesn't have the offset.
	meansOutOfRange
	// meansStop: it will be refused until somebody changes something.
	meansStop
)

// meaningOf sorts errors. What it has never heard of is meansUnknown: trying
// again is right for what passes, and visible for what doesn't.
func meaningOf(err error) meaning {
	if err == nil {
		return meansDone
	}
	var code kafka.Error
	if errors.As(err, &code) {
		return meaningOfCode(code)
	}
	if errors.Is(err, protocol.ErrNoTopic) || errors.Is(err, protocol.ErrNoPartition) || errors.Is(err, protocol.ErrNoLeader) {
		return meansNotNow
	}
	if errors.Is(err, errOldBroker) {
		return meansStop
	}
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	if errors.As(err, &certificate) || errors.As(err, &authority) || errors.As(err, &host) {
		return meansStop
	}
	return meansUnknown
}

func meaningOfCode(code kafka.Error) meaning {
	switch code {
	case 0, kafka.DuplicateSequenceNumber:
		return meansDone
	case kafka.InvalidProducerEpoch, kafka.ProducerFenced, kafka.InvalidProducerIDMapping,
		kafka.OutOfOrderSequenceNumber, kafka.UnknownProducerId:
		return meansFenced
	case kafka.OffsetOutOfRange:
		return meansOutOfRange
	case kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition,
		kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.GroupLoadInProgress,
		kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup, kafka.NotEnoughReplicas,
		kafka.ConcurrentTransactions, kafka.TransactionCoordinatorFenced, kafka.KafkaStorageError,
		kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch, kafka.OffsetNotAvailable,
		kafka.ThrottlingQuotaExceeded, kafka.NotController, kafka.UnknownTopicID,
		kafka.PreferredLeaderNotAvailable, kafka.EligibleLeadersNotAvailable,
		kafka.RebalanceInProgress, kafka.ReassignmentInProgress, kafka.ListenerNotFound:
		return meansNotNow
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidMessageSize,
		kafka.InvalidTopic, kafka.InvalidRequiredAcks, kafka.TopicAuthorizationFailed,
		kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed,
		kafka.TransactionalIDAuthorizationFailed, kafka.BrokerAuthorizationFailed,
		kafka.InvalidTimestamp, kafka.InvalidRecord, kafka.InvalidConfiguration,
		kafka.InvalidPartitionNumber, kafka.InvalidReplicationFactor, kafka.InvalidReplicaAssignment,
		kafka.InvalidRequest, kafka.InvalidTransactionTimeout, kafka.InvalidSessionTimeout,
		kafka.InvalidGroupId, kafka.InconsistentGroupProtocol, kafka.PolicyViolation,
		kafka.UnsupportedVersion, kafka.UnsupportedForMessageFormat, kafka.UnsupportedCompressionType,
		kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState, kafka.SASLAuthenticationFailed,
		kafka.SecurityDisabled, kafka.GroupMaxSizeReached:
		return meansStop
	default:
		return meansUnknown
	}
}

// failure makes the error of a task's call.
func failure(kind task.ErrorKind, err error, format string, args ...any) *task.Error {
	return &task.Error{Kind: kind, Op: fmt.Sprintf(format, args...), Err: err}
}

// kindOf is the kind of a *task.Error, 0 of any other.
func kindOf(err error) task.ErrorKind {
	var e *task.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// readKind is the kind of an error of a request that changes nothing, or
// nothing that matters when it is repeated.
func readKind(err error) task.ErrorKind {
	switch meaningOf(err) {
	case meansOutOfRange:
		return task.KindOffsetOutOfRange
	case meansStop:
		return task.KindStop
	case meansFenced:
		return task.KindFenced
	default:
		return task.KindRetry
	}
}

// writeKind is the kind of an error of a numbered batch.
func writeKind(err error) task.ErrorKind {
	switch meaningOf(err) {
	case meansFenced:
		return task.KindFenced
	case meansStop:
		return task.KindStop
	default:
		return task.KindUnknown
	}
}

// final says whether trying again within the same call is pointless.
func final(ctx context.Context, err error) bool {
	switch meaningOf(err) {
	case meansDone, meansFenced, meansOutOfRange, meansStop:
		return true
	default:
		return ctx.Err() != nil
	}
}
