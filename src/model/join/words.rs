//! The words of a code: 256 of two syllables and 256 of three, chosen so that no two sound alike.
//!
//! Source: the PGP word list, Patrick Juola and Philip Zimmermann, "Whole-Word Phonetic Distances and the PGPfone
//! Alphabet", ICSLP 1996; here in lower case, in the order of the byte that each stands for.

/// Two syllables.
const SHORT: &str = "\
aardvark absurd accrue acme adrift adult afflict ahead aimless algol allow alone ammo ancient apple artist \
assume athens atlas aztec baboon backfield backward banjo beaming bedlamp beehive beeswax befriend belfast berserk \
billiard bison blackjack blockade blowtorch bluebird bombast bookshelf brackish breadline breakup brickyard \
briefcase burbank button buzzard cement chairlift chatter checkup chisel choking chopper christmas clamshell classic \
classroom cleanup clockwork cobra commence concert cowbell crackdown cranky crowfoot crucial crumpled crusade cubic \
dashboard deadbolt deckhand dogsled dragnet drainage dreadful drifter dropper drumbeat drunken dupont dwelling \
eating edict egghead eightball endorse endow enlist erase escape exceed eyeglass eyetooth facial fallout flagpole \
flatfoot flytrap fracture framework freedom frighten gazelle geiger glitter glucose goggles goldfish gremlin guidance \
hamlet highchair hockey indoors indulge inverse involve island jawbone keyboard kickoff kiwi klaxon locale lockup \
merit minnow miser mohawk mural music necklace neptune newborn nightbird oakland obtuse offload optic orca payday \
peachy pheasant physique playhouse pluto preclude prefer preshrunk printer prowler pupil puppy python quadrant quiver \
quota ragtime ratchet rebirth reform regain reindeer rematch repay retouch revenge reward rhythm ribcage ringbolt \
robust rocker ruffled sailboat sawdust scallion scenic scorecard scotland seabird select sentence shadow shamrock \
showgirl skullcap skydive slingshot slowdown snapline snapshot snowcap snowslide solo southward soybean spaniel \
spearhead spellbind spheroid spigot spindle spyglass stagehand stagnate stairway standard stapler steamship sterling \
stockman stopwatch stormy sugar surmount suspense sweatband swelter tactics talon tapeworm tempest tiger tissue tonic \
topmost tracker transit trauma treadmill trojan trouble tumor tunnel tycoon uncut unearth unwind uproot upset upshot \
vapor village virus vulcan waffle wallet watchword wayside willow woodlark zulu";

/// Three syllables.
const LONG: &str = "\
adroitness adviser aftermath aggregate alkali almighty amulet amusement antenna applicant apollo armistice article \
asteroid atlantic atmosphere autopsy babylon backwater barbecue belowground bifocals bodyguard bookseller borderline \
bottomless bradbury bravado brazilian breakaway burlington businessman butterfat camelot candidate cannonball \
capricorn caravan caretaker celebrate cellulose certify chambermaid cherokee chicago clergyman coherence combustion \
commando company component concurrent confidence conformist congregate consensus consulting corporate corrosion \
councilman crossover crucifix cumbersome customer dakota decadence december decimal designing detector detergent \
determine dictator dinosaur direction disable disbelief disruptive distortion document embezzle enchanting enrollment \
enterprise equation equipment escapade eskimo everyday examine existence exodus fascinate filament finicky forever \
fortitude frequency gadgetry galveston getaway glossary gossamer graduate gravity guitarist hamburger hamilton \
handiwork hazardous headwaters hemisphere hesitate hideaway holiness hurricane hydraulic impartial impetus inception \
indigo inertia infancy inferno informant insincere insurgent integrate intention inventive istanbul jamaica jupiter \
leprosy letterhead liberty maritime matchmaker maverick medusa megaton microscope microwave midsummer millionaire \
miracle misnomer molasses molecule montana monument mosquito narrative nebula newsletter norwegian october ohio \
onlooker opulent orlando outfielder pacific pandemic pandora paperweight paragon paragraph paramount passenger \
pedigree pegasus penetrate perceptive performance pharmacy phonetic photograph pioneer pocketful politeness positive \
potato processor provincial proximate puberty publisher pyramid quantity racketeer rebellion recipe recover repellent \
replica reproduce resistor responsive retraction retrieval retrospect revenue revival revolver sandalwood sardonic \
saturday savagery scavenger sensation sociable souvenir specialist speculate stethoscope stupendous supportive \
surrender suspicious sympathy tambourine telephone therapist tobacco tolerance tomorrow torpedo tradition travesty \
trombonist truncated typewriter ultimate undaunted underfoot unicorn unify universe unravel upcoming vacancy vagabond \
vertigo virginia visitor vocalist voyager warranty waterloo whimsical wichita wilmington wyoming yesteryear yucatan";

/// The word of two syllables for this byte.
pub fn short(byte: u8) -> &'static str {
    nth(SHORT, byte)
}

/// The word of three syllables for this byte.
pub fn long(byte: u8) -> &'static str {
    nth(LONG, byte)
}

/// The byte of a word of two syllables.
pub fn of_short(word: &str) -> Option<u8> {
    place(SHORT, word)
}

/// The byte of a word of three syllables.
pub fn of_long(word: &str) -> Option<u8> {
    place(LONG, word)
}

fn nth(list: &'static str, byte: u8) -> &'static str {
    list.split(' ').nth(byte.into()).unwrap_or_default()
}

fn place(list: &str, word: &str) -> Option<u8> {
    list.split(' ').position(|one| one == word).and_then(|at| u8::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_byte_has_a_word_of_its_own_in_both_lists() {
        let mut all = BTreeSet::new();
        for (list, word, of) in [
            (SHORT, short as fn(u8) -> &'static str, of_short as fn(&str) -> Option<u8>),
            (LONG, long, of_long),
        ] {
            assert_eq!(list.split(' ').count(), 256);
            for byte in 0..=u8::MAX {
                let one = word(byte);
                assert!(one.len() > 3 && one.bytes().all(|letter| letter.is_ascii_lowercase()));
                assert_eq!(of(one), Some(byte));
                assert!(all.insert(one), "{one} twice");
            }
        }
        assert_eq!((of_short("crossover"), of_long("clockwork")), (None, None));
    }

    #[test]
    fn words_stand_where_the_published_list_has_them() {
        assert_eq!(
            [short(0x00), short(0x3b), short(0x80), short(0xff)],
            ["aardvark", "clockwork", "merit", "zulu"]
        );
        assert_eq!(
            [long(0x00), long(0x3c), long(0x80), long(0xff)],
            ["adroitness", "crossover", "intention", "yucatan"]
        );
        // The example of the list's authors: a fingerprint that begins E582 94F2.
        assert_eq!(
            [short(0xe5), long(0x82), short(0x94), long(0xf2)],
            ["topmost", "istanbul", "pluto", "vagabond"]
        );
    }
}
