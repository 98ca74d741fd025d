#[derive(everwarm::ToKey)]
union Bits {
    whole: u32,
    half: u16,
}

#[derive(everwarm::ToKey)]
#[key(klass = "shop.Point")]
struct Point {
    x: i32,
}

#[derive(everwarm::ToKey)]
#[key(class = "Point")]
struct Place {
    x: i32,
}

fn main() {}
