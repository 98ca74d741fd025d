struct Shop;

impl Shop {
    #[everwarm::cached]
    fn price(&self, sku: u64) -> u64 {
        sku
    }

    #[everwarm::cached(key = "{sku}")]
    fn restock(&mut self, sku: u64) -> u64 {
        sku
    }

    #[everwarm::cached(key = "{sku}")]
    fn twin(&self, sku: u64) -> Option<Self> {
        (sku > 0).then_some(Shop)
    }
}

fn main() {}
