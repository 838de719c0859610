/* What befalls the database: it returns to an earlier state (a restored backup, a lagging standby, commits lost in a
   crash), its server restarts, its clock leaps. campaigns/stages/guards.py, campaigns/store/restores.py. */

/* first_sent_at of whatever may have left: the last sign of life of the history that was lost */
#define LOST_SINCE (LOST_SINCE_TICKS -> 1 : lost_age)

/* restores.ask_about_everything: whatever is open is asked about first, under its old ids */
#define HANDLE(x) \
  if \
  :: state[x] == ready || state[x] == claimed || state[x] == unknown -> \
     if :: state[x] == ready && !ACCOUNT_UNSET -> account[x] = IN_USE :: else fi; \
     if :: state[x] != unknown -> become(x, unknown) :: else fi; \
     due[x] = (NO_WAIT -> 0 : LEASE + UNKNOWN_GRACE); owner[x] = (OWNERS_KEPT -> owner[x] : 0); \
     age[x] = (LOST_SINCE > age[x] -> LOST_SINCE : age[x]) \
  :: else \
  fi

inline handle() {
  HANDLE(0); HANDLE(1); HANDLE(2);
  wrong_identity = 0; only_restarted = 0; drafts_asked = 1; drafts_due = (NO_WAIT -> 0 : LEASE + UNKNOWN_GRACE);
  drafts_age = LOST_SINCE; lost_age = 0
}
inline keep_one(x_) {
  kept_state[x_] = state[x_]; kept_owner[x_] = owner[x_]; kept_age[x_] = age[x_]; kept_account[x_] = account[x_];
  kept_attempt[x_] = attempt[x_]; kept_apart[x_] = apart[x_]
}
inline keep() {
  kept = 1; kept_ago = 1; keep_one(0); keep_one(1); keep_one(2); kept_epoch[0] = epoch[0]; kept_epoch[1] = epoch[1];
  kept_message[0] = message[0]; kept_message[1] = message[1]; kept_campaign = campaign; kept_renewed = renewed
}
/* due times are not kept: they may be over by now, and that is the worst they can be */
inline return_one(x_) {
  state[x_] = kept_state[x_]; owner[x_] = kept_owner[x_]; age[x_] = kept_age[x_]; account[x_] = kept_account[x_];
  attempt[x_] = kept_attempt[x_]; apart[x_] = kept_apart[x_]; due[x_] = 0
}
inline forget_one(x_) {
  kept_state[x_] = none; kept_owner[x_] = 0; kept_age[x_] = 0; kept_account[x_] = 0; kept_attempt[x_] = 0; kept_apart[x_] = 0
}
inline return_to_kept() {
  return_one(0); return_one(1); return_one(2); epoch[0] = kept_epoch[0]; epoch[1] = kept_epoch[1];
  message[0] = kept_message[0]; message[1] = kept_message[1]; campaign = kept_campaign; renewed = kept_renewed;
  returns++; wrong_identity = !(NO_HANDLING || UNNOTICED_RETURN || RENEW_INSTEAD); only_restarted = LOSSY_RESTART;
  drafts_asked = 0; drafts_due = 0; drafts_age = 0; lost_age = (kept_ago > lost_age -> kept_ago : lost_age);
  if :: RENEW_INSTEAD && !renewed -> renew() :: else fi;
  if
  :: returns == RETURNS ->
     kept = 0; kept_ago = 0; forget_one(0); forget_one(1); forget_one(2); kept_epoch[0] = 0; kept_epoch[1] = 0;
     kept_message[0] = pending; kept_message[1] = pending; kept_campaign = running; kept_renewed = 0
  :: else
  fi
}
/* restores.sample: of each request that would leave next, one message, the first that is pending */
#define SAMPLED(x) (state[x] == ready && ((PENDING_IN(x) & 1) -> KNOWN(0, ID(epoch[0], 0)) : KNOWN(1, ID(epoch[1], 0))))

proctype Disaster() {
  do
  :: d_step { RETURNS > 0 && returns < RETURNS && !kept && !wrong_identity -> keep(); printf("keep\n"); SHOW }
  :: d_step { kept && returns < RETURNS -> return_to_kept(); printf("return\n"); SHOW }
  :: d_step { restarts < RESTARTS && !wrong_identity -> restarts++; wrong_identity = 1; only_restarted = 1; printf("restart\n"); SHOW }
  /* the tick, or a person with `campaigns restored` */
  :: d_step { wrong_identity && !only_restarted -> handle(); printf("handle\n"); SHOW }
  /* only the start time differs: a sample of ready batches is asked about */
  :: d_step { wrong_identity && only_restarted ->
       if
       :: SAMPLED(0) || SAMPLED(1) || SAMPLED(2) -> handle()
       :: else -> wrong_identity = 0; only_restarted = 0
       fi;
       printf("sample\n"); SHOW }
  /* the database's clock leaps ahead */
  :: d_step { CLOCKJUMP && leap == 0 ->
       if :: NO_QUIET -> leap = 3; due[0] = 0; due[1] = 0; due[2] = 0; old_view[0] = (at[0] != idle); old_view[1] = (at[1] != idle)
          :: else -> leap = 1 fi;
       printf("leap\n"); SHOW }
  /* whoever reads it next tells everybody: from now on nothing is sent, resolved, or lapses */
  :: d_step { leap == 1 -> leap = 2; quiet = LEASE + UNKNOWN_GRACE; printf("notice\n"); SHOW }
  :: d_step { leap == 2 && quiet == 0 ->
       leap = 3; due[0] = 0; due[1] = 0; due[2] = 0; drafts_due = 0; old_view[0] = (at[0] != idle); old_view[1] = (at[1] != idle);
       printf("believe\n"); SHOW }
  od
}
