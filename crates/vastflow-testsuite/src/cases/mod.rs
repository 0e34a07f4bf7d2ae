//! The conformance cases, one plain async function each, by topic. A case panics when the store breaks its rule.

pub mod batches;
pub mod control;
pub mod duplicates;
pub mod ended;
pub mod fence;
pub mod form;
pub mod inbox;
pub mod journal;
pub mod keep;
pub mod listing;
pub mod plans;
pub mod prune;
pub mod queue;
pub mod queues;
pub mod reopen;
pub mod room;
pub mod suspects;
pub mod timers;
pub mod turns;
pub mod workers;

use crate::harness::Case;

/// Stamps out one test for each conformance case, in a module for each topic.
///
/// Takes an async function, or a closure that gives a future, of what the tests run on: an `Arc<dyn Store>`, or a
/// [`Harness`](crate::Harness) for a store that can be opened again. It is called once a test and gives an empty store
/// each time. Put it into a module of its own:
///
/// ```
/// mod conformance {
///     use std::sync::Arc;
///     use vastflow_store::{MemoryStore, Store};
///
///     vastflow_testsuite::conformance!(|| async { Arc::new(MemoryStore::new()) as Arc<dyn Store> });
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance {
    ($fresh:expr) => {
        $crate::conformance! { @each stamp ($fresh) }
    };
    // The list of all cases: the only one.
    (@each $then:ident $with:tt) => {
        $crate::conformance! { @$then $with
            journal {
                events_come_back_as_recorded history_pages_across_commits a_journal_that_is_not_there_is_empty
                a_late_commit_conflicts a_commit_from_the_future_conflicts a_conflict_is_all_or_nothing
                a_second_start_of_an_id_conflicts an_ended_run_keeps_its_id scopes_have_journals_of_their_own
                the_commit_comes_back one_writer_wins_each_position persistent_writers_all_get_in
                keys_hold_any_character_and_may_be_long
            }
            form {
                a_commit_without_events a_message_to_another_run a_control_word_from_an_inner_scope
                a_summary_from_an_inner_scope a_first_commit_without_a_summary
                a_start_whose_plan_is_not_there
                an_inner_scope_of_a_run_that_has_not_begun the_next_commit_is_none_the_worse
            }
            fence {
                the_current_token_settles another_token_is_fenced an_unclaimed_task_is_fenced
                a_released_task_is_fenced the_token_before_a_release_is_fenced the_token_before_a_sweep_is_fenced
                a_settled_task_is_fenced an_unknown_task_is_fenced a_task_of_another_scope_is_fenced
                an_obsolete_task_is_fenced one_bad_token_fences_all good_tokens_settle_together
                a_commit_without_tasks_needs_no_token
            }
            queue {
                first_come_first_served higher_priority_goes_first priority_counts_across_plans
                a_claim_keeps_to_its_maximum
                a_claim_says_whether_there_is_more excepted_plans_stay_where_they_are a_claim_tells_what_is_needed
                a_claimed_task_is_not_handed_out_again claims_at_once_share_the_tasks tokens_rise_by_one
                a_task_that_exists_stays_as_it_is a_settled_task_may_be_queued_again obsolete_tasks_are_gone
                an_obsolete_timer_that_was_due_is_gone obsolete_may_name_what_is_not_there
                obsolete_comes_before_queue new_work_is_hinted_at work_that_comes_back_is_hinted_at
            }
            timers {
                a_timer_is_never_early a_claim_tells_when_to_come_back a_claim_for_nothing_is_told_when_to_come_back
                an_earlier_timer_is_told_first a_retry_waits a_timer_in_the_past_is_visible
                a_timer_is_claimed_like_any_task timers_take_no_slot timers_of_one_moment_come_together
            }
            keep {
                a_kept_task_is_claimed a_chain_is_kept_to_its_end a_kept_task_may_be_given_back
                a_kept_task_shows_its_due_time nothing_is_kept_while_held nothing_is_kept_when_killed
                the_commit_that_resumes_keeps a_stopping_run_keeps a_refused_commit_keeps_nothing
                what_a_dead_worker_kept_is_swept what_a_given_up_worker_keeps_is_swept
            }
            control {
                the_word_comes_back the_same_word_is_no_change a_run_may_begin_held every_scope_sees_the_word
                a_batch_sees_the_word_from_its_place_on nothing_is_claimed_while_held nothing_is_claimed_when_killed
                a_stopping_run_is_claimed what_runs_is_still_recorded_while_held
                resume_makes_exactly_those_claimable timers_wait_while_held a_held_task_may_become_obsolete
                what_comes_back_to_a_held_run_waits many_changes_lose_nothing
                only_what_takes_effect_changes_the_word
            }
            room {
                a_lane_is_served_by_those_who_know_it a_lane_gives_as_many_as_it_has_room_for
                lanes_count_for_the_maximum a_lane_survives_being_given_back a_window_lets_in_as_many_as_it_holds
                what_ends_makes_room windows_of_flows_do_not_wait_for_each_other the_line_is_first_come_first_served
                who_is_about_to_begin_counts who_is_held_in_line_takes_no_place a_stopping_run_needs_no_lane without_a_window_all_are_let_in a_run_in_line_can_be_stopped
                keys_do_not_wait_for_each_other windows_by_key_and_of_flows_count_together a_run_may_have_a_lane
                a_limit_is_kept_by_all_workers_together the_dead_leave_their_lanes
                a_rate_is_kept_by_all_workers_together an_empty_bucket_that_nobody_waits_for_is_no_news
            }
            inbox {
                messages_are_handed_over_in_order settling_empties_the_inbox at_most_512_are_handed_over
                at_most_a_mebibyte_is_handed_over
                very_many_deliveries_are_all_claimed
                what_comes_meanwhile_is_delivered_next one_message_of_a_kind the_first_of_a_kind_counts
                senders_and_receivers_are_told_apart messages_go_up_and_to_oneself
                a_message_to_oneself_while_settling a_delivery_that_failed_comes_again
                a_refused_commit_sends_nothing messages_wait_while_held a_delivery_is_fenced
            }
            duplicates {
                a_repeated_start a_repeated_answer a_repetition_after_more_commits
                a_repetition_is_told_the_word_of_now a_repetition_brings_nothing_back repetitions_at_once
                a_refused_commit_is_not_remembered another_name_is_another_commit
            }
            ended {
                its_journal_can_be_read its_journal_is_still_guarded it_hears_what_it_is_told what_waits_for_it_stays
                it_may_be_opened_again its_run_goes_on
            }
            workers {
                a_lease_is_kept_to_its_end a_heartbeat_extends_the_lease a_claim_extends_the_lease
                a_worker_that_was_given_up_is_told a_worker_knows_whether_it_is_alone
                a_late_heartbeat_before_the_sweep_counts
                only_the_dead_lose_their_tasks the_dead_may_come_back sweeping_twice_finds_nothing
                a_sweep_keeps_to_its_limit giving_back_spends_nothing a_stale_release_changes_nothing
                a_sweep_covers_all_runs_and_scopes a_sign_of_life_tells_the_time
                workers_are_listed_with_what_they_tell two_living_workers_have_two_names
                a_name_is_free_when_its_worker_is_given_up what_was_taken_over_and_fenced_is_counted
            }
            turns {
                what_nobody_heard_of_is_given_again what_nobody_heard_of_is_there_for_all what_was_heard_of_stays
                several_answers_may_be_lost what_was_kept_stays a_claim_that_comes_late_takes_nothing
                who_does_not_number_its_claims_loses_nothing what_nobody_heard_of_takes_no_room
            }
            suspects {
                one_death_changes_nothing a_call_that_two_died_with_is_handed_out_alone
                only_what_was_alone_in_hand_crashed_its_worker a_claim_for_one_alone_takes_one_and_no_other_call
                an_answer_clears_the_suspicion timers_are_never_suspects who_said_goodbye_was_not_killed
            }
            queues {
                calls_are_counted_by_plan_and_lane a_held_run_s_calls_are_told_apart what_is_in_hand_is_counted
                the_age_is_that_of_the_oldest who_must_run_alone_is_counted
            }
            plans {
                a_plan_comes_back an_unknown_hash_names_nothing plans_are_listed_by_hash
            }
            listing {
                a_row_shows_the_run a_summary_stays_until_the_next the_newest_run_is_first a_run_keeps_its_place
                pages_are_complete_while_runs_come a_page_says_whether_more_follow a_page_has_100_rows
                a_page_holds_only_so_many_bytes
                runs_are_found_by_flow runs_are_found_by_status runs_are_found_by_labels labels_hold_any_character filters_work_together
                filtered_pages_are_full runs_are_counted
            }
            prune {
                nothing_is_left_of_it its_id_is_free what_goes_on_stays the_old_go too_many_go
                a_call_keeps_to_its_limit late_commits_find_nothing
            }
            batches {
                answers_are_in_order a_batch_is_applied_in_order refusals_do_not_stop_the_others an_element_is_whole
                later_elements_see_earlier_ones an_empty_batch_is_answered many_submitters_are_all_answered
                what_was_answered_is_seen_at_once a_commit_may_be_as_wide_as_a_plan
            }
            reopen {
                what_was_answered_is_there the_queue_follows_from_the_journals claims_die_with_an_embedded_store
                kept_tasks_die_with_an_embedded_store timers_survive repetitions_are_recognised
                conflicts_are_recognised the_control_word_survives new_runs_come_after_old_ones
                inner_journals_survive a_run_goes_on a_closed_store_says_so messages_survive
            }
        }
    };
    (@stamp ($fresh:expr) $($topic:ident { $($case:ident)* })*) => {
        $(mod $topic {
            #[allow(unused_imports)]
            use super::*;
            $(#[test]
            fn $case() {
                $crate::run_case(stringify!($topic), stringify!($case), $fresh);
            })*
        })*
    };
    (@table () $($topic:ident { $($case:ident)* })*) => {
        &[$($(Case {
            topic: stringify!($topic),
            name: stringify!($case),
            test: |probe| Box::pin($topic::$case(probe)),
        },)*)*]
    };
}

/// All cases.
pub const CASES: &[Case] = crate::conformance! { @each table () };

#[cfg(test)]
mod tests {
    use super::CASES;

    /// A case that nobody stamps out proves nothing.
    #[test]
    fn every_case_is_on_the_list() {
        macro_rules! written {
            ($($topic:literal)*) => { [$(($topic, include_str!(concat!($topic, ".rs")))),*] };
        }
        let files = written!["journal" "form" "fence" "queue" "timers" "keep" "control" "inbox" "duplicates" "ended" "workers"
            "turns" "suspects" "queues" "plans" "prune" "listing" "batches" "reopen" "room"];
        let names = files.iter().flat_map(|(topic, text)| {
            let cases = text.split("\npub async fn ").skip(1);
            cases.map(|case| (*topic, case.split('(').next().unwrap_or_default()))
        });
        let mut names: Vec<_> = names.collect();
        let mut listed: Vec<_> = CASES.iter().map(|case| (case.topic, case.name)).collect();
        names.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, names);
    }
}
