// Places one token: all rows of the weight, one row of y.
struct Place { row: u32, y: u32, live: bool }

fn place(slot: u32) -> Place {
    return Place(0u, OFFSET, true);
}
