//! The suites find planted faults: each is named, with a promise that must be found broken.

mod facets;
mod faulty;
mod healths;
mod suspends;

use everwarm_conformance::{Harness, Outcome, PROMISES, check};
use everwarm_memory::{Bounds, MemoryStore};

use faulty::{Fault, Faulty};

fn harness(fault: Option<Fault>) -> Harness {
    Harness::new(move |fixture| {
        let bounds = Bounds::entries(100_000.try_into().expect("not zero"));
        let clock = fixture.clock();
        let store = fixture.once(|| MemoryStore::with_clock(bounds, clock));
        Faulty::new(store.handle(), fault)
    })
}

fn outcome(harness: &Harness, suite: &str, name: &str) -> Outcome {
    let promise = PROMISES
        .iter()
        .find(|promise| promise.suite == suite && promise.name == name);
    check(harness, promise.expect("a promise of this name"))
}

/// Each fault, and the promise it breaks.
const FAULTS: &[(Fault, &str, &str)] = &[
    (Fault::LosesBytes, "store", "what_was_set_is_found"),
    (Fault::ForgetsOldest, "store", "what_was_set_stays"),
    (Fault::KeepsLongerValue, "store", "a_set_replaces_whole"),
    (Fault::Tears, "store", "no_reader_sees_parts_of_two_values"),
    (
        Fault::ForgetsTtl,
        "store",
        "after_its_ttl_a_value_is_not_found",
    ),
    (Fault::KeepsFirstTtl, "store", "each_set_brings_its_own_ttl"),
    (
        Fault::RemainsAsSet,
        "store",
        "remaining_is_never_more_than_was_set",
    ),
    (
        Fault::RemainsTooLong,
        "store",
        "the_longest_ttl_cuts_longer_ones",
    ),
    (
        Fault::DeletesWhatIsNot,
        "store",
        "deleting_what_is_not_there_says_false",
    ),
    (
        Fault::MixesUpBulk,
        "store",
        "bulk_verbs_do_what_single_ones_do",
    ),
    (
        Fault::ClearsNeighbours,
        "store",
        "clear_takes_its_prefix_and_no_other",
    ),
    (
        Fault::ClearsByPattern,
        "store",
        "clear_takes_its_prefix_and_no_other",
    ),
    (Fault::IgnoresCase, "store", "two_names_are_never_one_entry"),
    (Fault::CutsNames, "store", "long_names_are_told_apart"),
    (
        Fault::TakesLongNames,
        "store",
        "a_name_that_is_too_long_is_refused",
    ),
    (
        Fault::CutsLargeValues,
        "store",
        "a_value_that_is_too_large_is_refused",
    ),
    (
        Fault::SwapsAnswers,
        "store",
        "every_verb_may_be_called_from_any_thread",
    ),
    (
        Fault::AnswersTheNext,
        "store",
        "an_abandoned_verb_leaves_no_trace",
    ),
    (
        Fault::IsPrivate,
        "store",
        "a_second_handle_sees_what_the_first_did",
    ),
    (
        Fault::SweepsAll,
        "store",
        "a_sweep_takes_only_what_has_expired",
    ),
    (Fault::SaysNothingOfItself, "store", "it_says_what_it_is"),
    (
        Fault::OffersNow,
        "store",
        "it_offers_the_same_facets_always",
    ),
    (Fault::NeverCloses, "store", "a_closed_store_refuses"),
    (
        Fault::KeepsFirstTtl,
        "store",
        "random_verbs_agree_with_a_model",
    ),
    (Fault::CountsInHex, "counters", "its_text_is_its_number"),
    (
        Fault::ForgetsInitial,
        "counters",
        "a_new_one_begins_at_initial",
    ),
    (
        Fault::RenewsCounters,
        "counters",
        "its_ttl_counts_when_it_begins",
    ),
    (Fault::CountsInTwoSteps, "counters", "no_change_is_lost"),
    (
        Fault::Saturates,
        "counters",
        "what_leaves_64_bits_is_refused",
    ),
    (
        Fault::CountsText,
        "counters",
        "what_is_no_number_stays_what_it_is",
    ),
    (
        Fault::IgnoresCondition,
        "conditional",
        "absent_and_present_are_told_apart",
    ),
    (
        Fault::ReusesVersions,
        "conditional",
        "a_version_is_of_one_write",
    ),
    (
        Fault::RefreshesInVain,
        "conditional",
        "a_condition_that_does_not_hold_changes_nothing",
    ),
    (Fault::ForgetsTtl, "conditional", "it_sets_its_own_ttl"),
    (
        Fault::DeletesAnyVersion,
        "conditional",
        "it_deletes_what_one_write_set",
    ),
    (
        Fault::ComparesInTwoSteps,
        "conditional",
        "of_many_at_once_one_wins",
    ),
    (Fault::LeasesToAll, "leases", "it_has_one_holder"),
    (Fault::LeasesForEver, "leases", "it_ends_by_itself"),
    (Fault::RenewsInVain, "leases", "who_asks_again_renews"),
    (Fault::NeverReleases, "leases", "it_is_given_back"),
    (
        Fault::KeepsLeaseAfterSettling,
        "leases",
        "a_set_under_it_ends_it",
    ),
    (
        Fault::KeepsLeaseAfterSet,
        "leases",
        "every_other_write_ends_it",
    ),
    (
        Fault::KeepsLeaseAfterDelete,
        "leases",
        "every_other_write_ends_it",
    ),
    (
        Fault::EndsLeaseOnRead,
        "leases",
        "reads_and_vain_writes_leave_it",
    ),
    (
        Fault::KeepsLeaseAfterClear,
        "leases",
        "clear_ends_those_it_clears",
    ),
    (Fault::LeasesAreEntries, "leases", "it_is_no_entry"),
    (
        Fault::LeasesInTwoSteps,
        "leases",
        "of_many_at_once_one_holds",
    ),
    (Fault::ScansTwice, "scan", "a_name_is_in_one_page"),
    (Fault::ScansSkipping, "scan", "a_name_is_in_one_page"),
    (Fault::ScansByCase, "scan", "names_come_back_as_they_were"),
    (
        Fault::ClearsByPattern,
        "scan",
        "only_names_of_the_prefix_are_given",
    ),
    (
        Fault::ScansByNumber,
        "scan",
        "what_stays_is_found_while_others_change",
    ),
    (Fault::ScansExpired, "scan", "expired_names_are_not_given"),
    (Fault::OnlyLengthens, "touch", "it_sets_the_ttl_from_now_on"),
    (Fault::TouchRewrites, "touch", "bytes_and_version_stay"),
    (Fault::TouchRevives, "touch", "what_is_not_there_stays_away"),
    (
        Fault::GivesNoMarkers,
        "generations",
        "a_beginning_gives_stamps_and_markers",
    ),
    (Fault::ReadMarks, "generations", "reading_makes_nothing"),
    (
        Fault::NeverOvertakes,
        "generations",
        "an_invalidation_overtakes_what_began_before",
    ),
    (
        Fault::MarksWithStamp,
        "generations",
        "an_unknown_tag_gets_the_present_number",
    ),
    (
        Fault::NumbersStandStill,
        "generations",
        "a_marker_only_grows",
    ),
    (
        Fault::ForgetsMarkers,
        "generations",
        "a_marker_outlives_its_entries",
    ),
    (
        Fault::SettlesWithoutLease,
        "generations",
        "a_lost_lease_is_told",
    ),
    (
        Fault::MixesUpTags,
        "generations",
        "an_entry_comes_with_its_markers",
    ),
    (Fault::OneNamespace, "generations", "namespaces_are_apart"),
    (
        Fault::SettlesInTwoSteps,
        "generations",
        "settling_and_invalidating_are_one_step_each",
    ),
    (Fault::IsSilent, "notify", "every_change_by_hand_is_told"),
    (Fault::IsSilent, "notify", "an_invalidation_is_told"),
    (
        Fault::TellsOfComputed,
        "notify",
        "what_was_computed_is_not_told",
    ),
    (
        Fault::TellsItself,
        "notify",
        "ones_own_changes_are_left_out",
    ),
    (
        Fault::TellsAgain,
        "notify",
        "what_was_told_is_not_told_again",
    ),
    (
        Fault::HidesGaps,
        "notify",
        "who_is_far_behind_is_told_of_a_gap",
    ),
    (Fault::TellsTooSoon, "notify", "what_is_told_is_there"),
    (
        Fault::LeasesAllOrNone,
        "leases",
        "of_many_leases_each_is_as_if_alone",
    ),
    (
        Fault::SettlesUpToTheFirst,
        "generations",
        "of_many_values_each_is_settled_as_if_alone",
    ),
    (
        Fault::SuspendsNothing,
        "suspend",
        "a_suspension_invalidates",
    ),
    (
        Fault::SuspendsForAMoment,
        "suspend",
        "nothing_is_stored_while_it_lasts",
    ),
    (
        Fault::ResumesAtOnce,
        "suspend",
        "as_many_resume_as_have_suspended",
    ),
    (Fault::ResumesQuietly, "suspend", "a_resumption_invalidates"),
    (
        Fault::SuspendsForEver,
        "suspend",
        "it_ends_by_itself_as_an_invalidation",
    ),
    (Fault::LastSpanCounts, "suspend", "the_longest_span_counts"),
    (
        Fault::InvalidatingResumes,
        "suspend",
        "an_invalidation_leaves_it",
    ),
    (Fault::TellsOldMarkers, "suspend", "its_marker_only_grows"),
    (
        Fault::MixesUpMany,
        "generations",
        "of_many_entries_each_comes_as_if_alone",
    ),
    (
        Fault::TellsOlderMarkersOfMany,
        "generations",
        "many_entries_come_with_what_was_acknowledged",
    ),
    (
        Fault::SaysItTwice,
        "health",
        "each_fact_has_a_name_of_its_own",
    ),
    (
        Fault::LooksAway,
        "health",
        "a_close_look_leaves_nothing_out",
    ),
    (Fault::LooksByWriting, "health", "asking_changes_nothing"),
    (
        Fault::OutlivesItself,
        "health",
        "a_closed_store_says_nothing",
    ),
];

#[test]
fn every_planted_fault_is_found() {
    let missed: Vec<_> = FAULTS
        .iter()
        .filter(|(fault, suite, name)| {
            // Some are races, which a busy machine may hide once.
            !(0..5).any(|_| {
                matches!(
                    outcome(&harness(Some(*fault)), suite, name),
                    Outcome::Broken(_)
                )
            })
        })
        .collect();
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

#[test]
fn every_promise_has_a_fault_that_breaks_it() {
    for promise in PROMISES {
        let is_broken =
            |(_, suite, name): &&(_, &str, &str)| *suite == promise.suite && *name == promise.name;
        assert!(
            FAULTS.iter().any(|fault| is_broken(&fault)),
            "{}::{} is not shown to find anything",
            promise.suite,
            promise.name
        );
    }
}

#[test]
fn without_a_fault_all_is_kept() {
    let report = everwarm_conformance::run(&harness(None));
    assert!(report.is_kept(), "{report}");
    assert_eq!(report.outcomes.len(), PROMISES.len());
    assert!(
        report
            .to_string()
            .starts_with("kept        store::what_was_set_is_found\n")
    );
}
