package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheStackIsDeployedWheneverLocalStackHasNone(t *testing.T) {
	t.Parallel()
	const (
		has    = "has"
		empty  = "empty"
		silent = "silent"
		hangs  = "hangs"
	)
	failed := errors.New("failed")
	for _, test := range []struct {
		name  string
		looks []string // LocalStack's state at each look; after the last one the test ends the deployer
		fail  int      // the number of the deployment that fails, from 1
		want  int      // number of deployments
		err   error
	}{
		{name: "once", looks: []string{empty, has, has, has}, want: 1},
		{name: "one that is there is looked through", looks: []string{has, has}, want: 1},
		{name: "as soon as LocalStack answers", looks: []string{silent, silent, empty, has}, want: 1},
		{name: "not while it is silent", looks: []string{empty, silent, hangs, silent, has}, want: 1},
		{name: "again when it was restarted", looks: []string{empty, has, silent, empty, has}, want: 2},
		{name: "again when it was restarted between two checks", looks: []string{empty, has, empty, has, empty}, want: 3},
		{name: "a first one that fails is an error", looks: []string{empty, has}, fail: 1, want: 1, err: failed},
		{name: "a later one that fails is tried again, whatever it left", looks: []string{empty, empty, has, has}, fail: 2, want: 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				deployed, begun := 0, time.Now()
				err := keep(ctx, nil, func(ctx context.Context) (bool, error) {
					if len(test.looks) == 0 {
						cancel()
						return true, ctx.Err()
					}
					now := test.looks[0]
					test.looks = test.looks[1:]
					switch now {
					case hangs:
						<-ctx.Done()
						return false, ctx.Err()
					case silent:
						return false, errors.New("refused")
					}
					return now == has, nil
				}, func() error {
					deployed++
					if deployed == test.fail {
						return failed
					}
					return nil
				})
				if took := time.Since(begun); took > time.Minute {
					t.Errorf("it took %v: a look that hangs holds all up", took)
				}
				if deployed != test.want || !errors.Is(err, test.err) {
					t.Errorf("deployed %d times, %v; want %d, %v", deployed, err, test.want, test.err)
				}
			})
		})
	}
}

func TestTheDeployerEndsWithItsFront(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		broken := errors.New("broken")
		served := make(chan error, 1)
		time.AfterFunc(time.Minute, func() { served <- broken })
		err := keep(ctx, served, func(context.Context) (bool, error) { return true, nil }, func() error { return nil })
		if !errors.Is(err, broken) {
			t.Errorf("it ended with %v", err)
		}
	})
}
